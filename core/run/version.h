/* Version: of Moongate, for the command line and the metrics; CMake gives the project's. */
#ifndef GATE_RUN_VERSION_H
#define GATE_RUN_VERSION_H

#define GATE_VERSION MOONGATE_VERSION

#endif
