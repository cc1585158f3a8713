# fish completion for supctl. Made by `supctl completion fish`; as ~/.config/fish/completions/supctl.fish,
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
