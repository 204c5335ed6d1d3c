/* Version: of Moongate, for the command line and the metrics. */
#ifndef GATE_RUN_VERSION_H
#define GATE_RUN_VERSION_H

/* CMake gives the project's; a build by hand need not. */
#ifdef MOONGATE_VERSION
#define GATE_VERSION MOONGATE_VERSION
#else
#define GATE_VERSION "0.1.0"
#endif

#endif
