"""completion: the scripts that make bash, zsh and fish ask `supctl __complete` what may come next.

The scripts know no verb and no option, so they never grow old: the program that is asked is the one that will run. Each passes the words
up to the cursor, unquoted, and quotes what comes back. Nothing that comes back is ever evaluated.
"""

from supervisor.cli.arguments import UsageError
from supervisor.cli.session import OK, Session

_BASH = r"""# bash completion for supctl. Made by `supctl completion bash`; in ~/.bashrc: eval "$(supctl completion bash)"

_supctl() {
    local line=${COMP_LINE:0:COMP_POINT} program current lead candidate
    local -a words
    read -a words <<<"$line" # without -r: a backslash quotes here as it does on the line
    [[ $line == *[[:space:]] ]] && words+=("")
    program=$(type -P -- "${words[0]}") || program=supctl
    current=${words[${#words[@]} - 1]}
    # Readline replaces only what follows the last of its word breaks, as the @ of worker@1 is one.
    lead=${current%"${current##*["$COMP_WORDBREAKS"]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        if [[ $candidate == :files ]]; then
            compopt -o default
            return
        fi
        printf -v candidate %q "${candidate#"$lead"}"
        COMPREPLY+=("$candidate")
    done < <("$program" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _supctl supctl
"""

_ZSH = r"""#compdef supctl
# zsh completion for supctl. Made by `supctl completion zsh`; as a file named _supctl in a directory of $fpath,
# or in ~/.zshrc after compinit: eval "$(supctl completion zsh)"

_supctl() {
    local candidate meaning
    local -a found
    while IFS=$'\t' read -r candidate meaning; do
        if [[ $candidate == :files ]]; then
            _files
            return
        fi
        candidate=${candidate//\\/\\\\}
        found+=("${candidate//:/\\:}${meaning:+:$meaning}")
    done < <("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    _describe -V supctl found
}

if [[ ${funcstack[1]} == _supctl ]]; then
    _supctl "$@"
else
    compdef _supctl supctl
fi
"""

_FISH = r"""# fish completion for supctl. Made by `supctl completion fish`; as ~/.config/fish/completions/supctl.fish,
# or in config.fish: supctl completion fish | source

function __supctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in ($program __complete $words "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            printf '%s\n' $line
        end
    end
end
complete -c supctl -k -f -a '(__supctl_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(session: Session) -> int:
    """Print the script for one shell."""
    shell = session.arguments.operands[0]
    if shell not in SCRIPTS:
        raise UsageError(f"there is no completion for {shell!r}; there is one for {', '.join(SCRIPTS)}")
    session.out.write(SCRIPTS[shell].removesuffix("\n"))
    return OK
