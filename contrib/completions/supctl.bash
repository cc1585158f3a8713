# bash completion for supctl. Made by `supctl completion bash`; in ~/.bashrc: eval "$(supctl completion bash)"

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
