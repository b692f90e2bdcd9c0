#!/bin/bash
# The include rule of core/README.md, held: every #include under core/ and plugins/, and every link list of CMake. Checks itself first
# on a small tree of its own, in which each kind of violation is planted.
set -u
source=${FETTLE_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}

# What a folder of core may include besides itself.
below_data="base"
below_loop="$below_data data"
below_middle="$below_loop loop"                                     # net, script, store, secret: not one another
below_upper="$below_middle net script store secret"                 # playbook, plugin
below_guard="$below_upper playbook plugin"
below_run="$below_guard guard"                                      # run asks guard
below_control="$below_run run"
declare -A allowed=(
    [base]="" [data]="$below_data" [loop]="$below_loop"
    [net]="$below_middle" [script]="$below_middle" [store]="$below_middle" [secret]="$below_middle"
    [playbook]="$below_upper" [plugin]="$below_upper"
    [guard]="$below_guard" [run]="$below_run" [control]="$below_control"
    [serve]="$below_control control" [cli]="$below_control control"
)

# Libraries that stay behind one folder: the beginning of a header or link name, and who may.
libraries=(
    "uv.h loop net" "curl/ net" "openssl/ net" "libssh2 net" "libssh/ net" "lua.h script" "lualib.h script" "lauxlib.h script" "sqlite3.h store" "zlib.h store"
    "yaml.h data" "libical/ data"
    "PkgConfig::UV loop net" "PkgConfig::LUA script" "PkgConfig::SQLITE store" "PkgConfig::ZLIB store" "PkgConfig::YAML data"
)

contains() { # word list…
    local word=$1
    shift
    [[ " $* " == *" $word "* ]]
}

may_use() { # folder name: false when the name is a library's that stays elsewhere
    local rule
    for rule in "${libraries[@]}"; do
        [[ $2 == "${rule%% *}"* ]] && ! contains "$1" ${rule#* } && return 1
    done
    return 0
}

# file:line:kind:name of every include, kind < or "
includes_in() {
    find "$@" -name '*.[ch]' -print0 2>/dev/null | sort -z |
        xargs -0 -r grep -nHoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][^>"]+' /dev/null |
        sed -E 's/^([^:]+:[0-9]+):[^<"]*([<"])(.*)$/\1:\2:\3/'
}

check_core_include() { # folder where kind name
    local folder=$1 where=$2 kind=$3 name=$4 target=${4%%/*}
    [[ $name == fettle/* ]] && return
    if [[ $folder == include ]]; then
        [[ $kind == '"' || $name == */* || $name == uv.h || $name == lua.h ]] &&
            echo "$where: a public header may include fettle/, libc and jansson only, not $name"
        return
    fi
    if [[ $kind == '<' ]]; then
        contains "$target" "${!allowed[@]}" && [[ $name == */* && -e core/$name ]] && echo "$where: write \"$name\" for a header of our own"
        may_use "$folder" "$name" || echo "$where: $name stays out of core/$folder"
    elif [[ $name != */* ]]; then
        [[ -e core/$folder/$name ]] || echo "$where: there is no $name in core/$folder"
    elif [[ $target != "$folder" && ( $name == */internal.h || $name == *_internal.h || $name == *_parts.h ) ]]; then
        echo "$where: $name is shared by the files of core/$target only"
    elif [[ $target != "$folder" ]] && ! contains "$target" ${allowed[$folder]}; then
        echo "$where: core/$folder may not include $name"
    fi
}

check_core_includes() {
    local file line kind name folder
    while IFS=: read -r file line kind name; do
        folder=${file#core/}
        folder=${folder%%/*}
        if [[ $folder != include && -z ${allowed[$folder]+known} ]]; then
            echo "$file:$line: core/$folder is not in the include rule"
            continue
        fi
        check_core_include "$folder" "$file:$line" "$kind" "$name"
    done < <(includes_in core)
}

# "folder name" of every library that CMake links a core folder with.
links() {
    tr '\n' ' ' < core/CMakeLists.txt | grep -oE 'fettle_folder\([^)]*\)' | tr '()' '  ' | while read -r _ folder rest; do
        for name in $rest; do echo "$folder $name"; done
    done
    tr '\n' ' ' < core/CMakeLists.txt | grep -oE 'target_link_libraries\((ft_[a-z]+|fettle) [^)]*\)' | sed -E 's/^[^(]*\(//; s/\)$//' |
        while read -r target rest; do
            for name in $rest; do
                contains "$name" PRIVATE PUBLIC INTERFACE || echo "$(sed -E 's/^ft_//; s/^fettle$/cli/' <<< "$target") $name"
            done
        done
}

check_core_links() {
    local folder name
    while read -r folder name; do
        [[ $folder == abi || $folder == '$'* ]] && continue
        if [[ -z ${allowed[$folder]+known} ]]; then
            echo "core/CMakeLists.txt: $folder is not in the include rule"
        elif [[ $name == ft_* && $name != ft_abi ]]; then
            contains "${name#ft_}" ${allowed[$folder]} || echo "core/CMakeLists.txt: ft_$folder may not link $name"
        else
            may_use "$folder" "$name" || echo "core/CMakeLists.txt: $name stays out of ft_$folder"
        fi
    done < <(links)
}

check_plugins() {
    local file line kind name folder found
    while IFS=: read -r file line kind name; do
        folder=plugins/$(cut -d/ -f2 <<< "$file")
        if [[ $kind == '"' ]]; then
            [[ $name != ../* && ( -e $(dirname "$file")/$name || -e $folder/$name ) ]] ||
                echo "$file:$line: a plugin may include <fettle/…> and its own folder, not \"$name\""
        elif [[ $name != fettle/* && -e core/$name ]]; then
            echo "$file:$line: a plugin may not include <$name>"
        fi
    done < <(includes_in plugins)
    while IFS=: read -r file line found; do
        echo "$file:$line: a plugin may not link $found"
    done < <(find plugins \( -name CMakeLists.txt -o -name '*.cmake' \) -print0 | xargs -0 -r grep -nHoE '\bft_[a-z]+' /dev/null)
}

check_tree() { # root
    (cd "$1" && check_core_includes && check_core_links && check_plugins)
}

# ---- Checking the check ----------------------------------------------------------------------------------------------

small_tree() { # root: one that keeps the rule
    mkdir -p "$1"/core/{include/fettle,base,data,loop,net,script,run,cli} "$1"/plugins/demo
    echo '#include <jansson.h>' > "$1/core/include/fettle/err.h"
    printf '#include <fettle/err.h>\n' > "$1/core/base/err.h"
    printf '#include "base/err.h"\n#include <sodium.h>\n' > "$1/core/base/err.c"
    printf '#  include "base/err.h"\n#include <yaml.h>\n#include "parts.h"\n' > "$1/core/data/yaml.c"
    : > "$1/core/data/parts.h"
    printf '#include "data/parts.h"\n#include <uv.h>\n' > "$1/core/loop/loop.h"
    printf '#include "loop/loop.h"\n#include <curl/curl.h>\n' > "$1/core/net/http.c"
    printf '#include "data/parts.h"\n#include <lua.h>\n' > "$1/core/script/lua.h"
    printf '#include "script/lua.h"\n' > "$1/core/run/run.c"
    printf '#include "base/err.h"\n' > "$1/core/cli/main.c"
    printf '#include <fettle/err.h>\n#include "part.h"\n#include <libxml/tree.h>\n' > "$1/plugins/demo/demo.c"
    : > "$1/plugins/demo/part.h"
    printf 'fettle_folder(base PkgConfig::SODIUM)\nfettle_folder(data ft_base\n    PkgConfig::YAML m)\n' > "$1/core/CMakeLists.txt"
    printf 'fettle_folder(net ft_loop dl)\n' >> "$1/core/CMakeLists.txt"
    printf 'target_link_libraries(fettle PRIVATE ft_run dl)\n' >> "$1/core/CMakeLists.txt"
    printf 'set(FETTLE_PLUGIN_PKGS libxml-2.0)\n' > "$1/plugins/demo/libraries.cmake"
}

failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# Each: a file, a line to add to it, and what must be said.
planted=(
    'core/base/err.c|#include "data/parts.h"|core/base may not include data/parts.h'
    'core/data/yaml.c|#include "loop/loop.h"|core/data may not include loop/loop.h'
    'core/data/yaml.c|   #  include   "net/x.h"  // spaced|core/data may not include net/x.h'
    'core/net/http.c|#include "script/lua.h"|core/net may not include script/lua.h'
    'core/run/run.c|#include "cli/x.h"|core/run may not include cli/x.h'
    'core/script/deep/inner.c|#include "net/x.h"|core/script may not include net/x.h'
    'core/data/yaml.c|#include "nowhere.h"|there is no nowhere.h in core/data'
    'core/run/run.c|#include "data/yaml_parts.h"|data/yaml_parts.h is shared by the files of core/data only'
    'core/run/run.c|#include "net/internal.h"|net/internal.h is shared by the files of core/net only'
    'core/run/run.c|#include <uv.h>|uv.h stays out of core/run'
    'core/cli/main.c|#include <curl/curl.h>|curl/curl.h stays out of core/cli'
    'core/run/run.c|#include <openssl/ssl.h>|openssl/ssl.h stays out of core/run'
    'core/loop/loop.h|#include <sqlite3.h>|sqlite3.h stays out of core/loop'
    'core/run/run.c|#include <lua.h>|lua.h stays out of core/run'
    'core/net/http.c|#include <base/err.h>|write "base/err.h"'
    'core/odd/odd.c|#include "base/err.h"|core/odd is not in the include rule'
    'core/include/fettle/err.h|#include "base/err.h"|a public header may include'
    'core/CMakeLists.txt|fettle_folder(store ft_run)|ft_store may not link ft_run'
    'core/CMakeLists.txt|fettle_folder(script ft_net)|ft_script may not link ft_net'
    'core/CMakeLists.txt|fettle_folder(run PkgConfig::UV)|PkgConfig::UV stays out of ft_run'
    'core/CMakeLists.txt|fettle_folder(odd ft_base)|odd is not in the include rule'
    'core/CMakeLists.txt|target_link_libraries(ft_base PUBLIC ft_data)|ft_base may not link ft_data'
    'plugins/demo/demo.c|#include "base/err.h"|not "base/err.h"'
    'plugins/demo/demo.c|#include "../../core/base/err.h"|not "../../core/base/err.h"'
    'plugins/demo/demo.c|#include <base/err.h>|a plugin may not include <base/err.h>'
    'plugins/demo/libraries.cmake|set(FETTLE_PLUGIN_LIBS ft_base)|a plugin may not link ft_base'
)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
small_tree "$scratch/clean"
said=$(check_tree "$scratch/clean")
[[ -z $said ]] || fail "a tree that keeps the rule is said to break it: $said"
for plant in "${planted[@]}"; do
    IFS='|' read -r file line wanted <<< "$plant"
    rm -rf "$scratch/tree"
    small_tree "$scratch/tree"
    mkdir -p "$(dirname "$scratch/tree/$file")"
    echo "$line" >> "$scratch/tree/$file"
    said=$(check_tree "$scratch/tree")
    [[ $said == *"$wanted"* ]] || fail "'$line' in $file is not found; said: ${said:-nothing}"
    [[ $(grep -c . <<< "$said") == 1 ]] || fail "'$line' in $file is one violation; said: $said"
done

# ---- The tree itself -------------------------------------------------------------------------------------------------

said=$(check_tree "$source")
[[ -z $said ]] || fail "the include rule is broken:
$said"
looked_at=$(cd "$source" && includes_in core plugins | wc -l)
((looked_at >= 500)) || fail "only $looked_at includes were looked at in $source"
((failures == 0)) && echo "${#planted[@]} planted violations found, $looked_at includes keep the rule"
exit $((failures > 0))
