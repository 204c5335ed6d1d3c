#!/bin/sh
# Builds LuaJIT from Debian's source package, patched so that a hook ends any script.
#
#   build.sh release|test [SOURCE_DIR]
#
# The last line on stdout is the folder of the result: include/ lib/libluajit.a bin/luajit
# bin/luajit-compile share/jit/. "test" adds LuaJIT's own assertions. SOURCE_DIR is an unpacked
# source tree, for machines without the archive. Results are kept in
# ${XDG_CACHE_HOME:-~/.cache}/moongate; remove that folder to build anew.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
flavour=${1:?usage: build.sh release|test [SOURCE_DIR]}
source_dir=${2:-}
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/moongate

say() { printf 'luajit: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

case $flavour in
release) xcflags="-DLUAJIT_ENABLE_CHECKHOOK" ;;
test) xcflags="-DLUAJIT_ENABLE_CHECKHOOK -DLUA_USE_ASSERT -DLUA_USE_APICHECK" ;;
*) die "unknown flavour '$flavour'" ;;
esac
# Hidden and position independent, so that a shared libmoongate exports no lua_* symbol.
cflags="-fPIC -fvisibility=hidden"

# What must differ for a result to be another one: flags, patch, this recipe, a given source.
key=$(
    {
        echo "$xcflags $cflags $(uname -m)"
        cat "$here/moongate.patch" "$here/build.sh"
        if [ -n "$source_dir" ]; then
            find "$source_dir/src" -name '*.[chd]*' -o -name '*.lua' | LC_ALL=C sort | xargs cat
        fi
    } | sha256sum | cut -c1-12
)

# The machine's own package sources, turned into source-package entries in a private folder.
write_sources() {
    mkdir -p "$1"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$list" ] || continue
        sed -n 's/^[[:space:]]*deb\([[:space:]]\)/deb-src\1/p' "$list" >"$1/$(basename "$list" .list).list"
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [ -f "$list" ] || continue
        sed 's/^Types:.*/Types: deb-src/' "$list" >"$1/$(basename "$list")"
    done
}

# apt with all its state in folder $1: neither the machine's lists nor its caches are touched.
private_apt() {
    state=$1
    shift
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/parts" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

fetch() {
    command -v dpkg-source >/dev/null || die "dpkg-source is missing: install dpkg-dev"
    apt=$work/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$work/fetch"
    write_sources "$apt/parts"
    say "fetching the source package"
    # Third-party entries often have no sources: only the package itself decides.
    private_apt "$apt" update >"$work/log" 2>&1 || true
    (cd "$work/fetch" && private_apt "$apt" source --download-only luajit) >>"$work/log" 2>&1 || {
        tail -n 15 "$work/log" >&2
        die "the source package was not found; give a source tree with MOONGATE_LUAJIT_SRC"
    }
    dsc=$(find "$work/fetch" -name 'luajit_*.dsc' | head -n 1)
    version=$(sed -n 's/^Version: *//p' "$dsc" | head -n 1 | sed 's/^[0-9]*://')
    dpkg-source --no-check -x "$dsc" "$work/tree" >>"$work/log" 2>&1 ||
        die "cannot unpack $(basename "$dsc")"
}

run_make() {
    make -C src -j2 amalg BUILDMODE=static CC="${LUAJIT_CC:-gcc}" TARGET_CFLAGS="$cflags" \
        "$@" >>"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        die "the build failed"
    }
}

compile() {
    out=$work/out
    mkdir -p "$out/include" "$out/lib" "$out/bin" "$out/share/jit"
    unset MAKEFLAGS MFLAGS
    cd "$work/tree"
    patch -s -p1 <"$here/moongate.patch" || die "moongate.patch does not apply to LuaJIT $version"
    say "building $version ($flavour), about half a minute"
    run_make XCFLAGS="$xcflags"
    (
        cd src
        cp lua.h lualib.h lauxlib.h luaconf.h lua.hpp luajit.h "$out/include/"
        cp libluajit.a "$out/lib/"
        cp luajit "$out/bin/"
        cp jit/*.lua "$out/share/jit/"
    )
    # The compiler of our own Lua files has a fixed hash seed: the same source, the same bytes.
    rm src/ljamalg.o
    run_make XCFLAGS="$xcflags -DLUAJIT_SECURITY_PRNG=0" CCOPT=-O0 LUAJIT_T=luajit-compile
    cp src/luajit-compile "$out/bin/"
    echo "$version" >"$out/VERSION"
}

find_result() {
    find "$cache" -maxdepth 1 -type d -name "luajit-*-$key" 2>/dev/null | sort | tail -n 1
}

mkdir -p "$cache"
# Two configures at once: the second waits, then finds the first one's result.
if command -v flock >/dev/null; then
    exec 9>"$cache/lock"
    flock 9
fi
result=$(find_result)
if [ -z "$result" ]; then
    work=$(mktemp -d "$cache/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM HUP
    if [ -n "$source_dir" ]; then
        cp -R "$source_dir" "$work/tree"
        make -s -C "$work/tree" clean >/dev/null 2>&1 || true
        version=given
    else
        fetch
    fi
    compile
    # A rename is whole or not there at all.
    mv -T "$work/out" "$cache/luajit-$version-$key" 2>/dev/null || true
    result=$(find_result)
    [ -n "$result" ] || die "cannot store the result in $cache"
fi
echo "$result"
