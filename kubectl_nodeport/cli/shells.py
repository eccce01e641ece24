"""The scripts that make a shell ask ``kubectl-nodeport __complete``; see cli.completion.

They run nothing of what is typed, and need no package besides the shell.
"""

from __future__ import annotations

# bash 3.2, which is macOS' own, has no mapfile, no compopt and no COMP_TYPE. What a completion
# replaces begins behind the last of COMP_WORDBREAKS that is not quoted, or with it if it is an @.
_BASH = r"""# bash completion for kubectl-nodeport

# Reads the words of a line as the program would get them, nothing expanded: into
# __kubectl_nodeport_words, how much of the last one stays into __kubectl_nodeport_stays, and the
# quote that is open into __kubectl_nodeport_quote.
__kubectl_nodeport_read() {
    local line="$1" word="" quote="" c i begun=""
    __kubectl_nodeport_words=()
    __kubectl_nodeport_stays=0
    for ((i = 0; i < ${#line}; i++)); do
        c="${line:i:1}"
        if [[ -z $quote && $c == [[:blank:]] ]]; then
            [[ -n $begun ]] && __kubectl_nodeport_words+=("$word")
            word="" begun="" __kubectl_nodeport_stays=0
            continue
        fi
        begun=1
        if [[ -n $quote && $c == "$quote" ]]; then
            quote=""
        elif [[ -z $quote && ($c == "'" || $c == '"') ]]; then
            quote="$c"
        elif [[ $quote != "'" && $c == "\\" ]]; then
            i=$((i + 1))
            word+="${line:i:1}"
        else
            if [[ -z $quote && $COMP_WORDBREAKS == *"$c"* ]]; then
                __kubectl_nodeport_stays=$((${#word} + 1))
                [[ $c == "@" ]] && __kubectl_nodeport_stays=${#word}
            fi
            word+="$c"
        fi
    done
    __kubectl_nodeport_words+=("$word")
    __kubectl_nodeport_quote="$quote"
}

__kubectl_nodeport_files() {
    local file
    while IFS= read -r file; do
        if [[ -d ${file/#\~\//$HOME/} ]]; then
            __kubectl_nodeport_add "$file/" ""
        else
            __kubectl_nodeport_add "$file" " "
        fi
    done < <(compgen -f -- "$1")
}

__kubectl_nodeport_add() {
    local word="${1:__kubectl_nodeport_stays}"
    if [[ -n $__kubectl_nodeport_quote ]]; then
        # Nothing here can end the quote that is open, or be run inside it: that is not offered.
        [[ $word == *[\"\'\$\`\\!]* ]] || COMPREPLY+=("$word")
        return
    fi
    if [[ $word == *[!a-zA-Z0-9_@%+=:,./~-]* ]]; then
        printf -v word %q "$word"
        [[ $word == "\\~/"* ]] && word="${word:1}"
    fi
    COMPREPLY+=("$word$2")
}

__kubectl_nodeport_complete() {
    local __kubectl_nodeport_words __kubectl_nodeport_stays __kubectl_nodeport_quote
    local IFS=$' \t\n' out line typed prefix="" end=" "
    COMPREPLY=()
    __kubectl_nodeport_read "${COMP_LINE:0:COMP_POINT}"
    out="$(command kubectl-nodeport __complete "${__kubectl_nodeport_words[@]:1}" 2>/dev/null)"
    typed="${__kubectl_nodeport_words[${#__kubectl_nodeport_words[@]} - 1]}"
    if [[ $typed == -*=* ]]; then
        prefix="${typed%%=*}="
    fi
    case "${out##*:}" in
        0)
            __kubectl_nodeport_stays=$((__kubectl_nodeport_stays - ${#prefix}))
            if ((__kubectl_nodeport_stays < 0)); then
                __kubectl_nodeport_stays=0
            fi
            __kubectl_nodeport_files "${typed#"$prefix"}"
            return
            ;;
        6) end="" ;;
    esac
    while IFS= read -r line; do
        case "$line" in
            "" | :*) ;;
            *$'\t'*)
                if [[ ${COMP_TYPE-} == 63 ]]; then # only listed, nothing is inserted
                    COMPREPLY+=("${line%%$'\t'*}  (${line#*$'\t'})")
                else
                    __kubectl_nodeport_add "$prefix${line%%$'\t'*}" "$end"
                fi
                ;;
            *) __kubectl_nodeport_add "$prefix$line" "$end" ;;
        esac
    done <<<"$out"
}

complete -o nospace -F __kubectl_nodeport_complete kubectl-nodeport
"""

# In a file of $fpath it has to be called _kubectl-nodeport, as its function is.
_ZSH = r"""#compdef kubectl-nodeport
# zsh completion for kubectl-nodeport

_kubectl-nodeport() {
    local -a lines offered space
    local line word directive
    lines=("${(@f)$(command kubectl-nodeport __complete \
        "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    directive="${lines[-1]}"
    compset -P '-*='
    if [[ $directive == :0 ]]; then
        _files
        return
    fi
    [[ $directive == :6 ]] && space=(-S '')
    for line in "${(@)lines[1,-2]}"; do
        word="${line%%$'\t'*}"
        word="${${word//\\/\\\\}//:/\\:}"
        if [[ $line == *$'\t'* ]]; then
            offered+=("$word:${line#*$'\t'}")
        else
            offered+=("$word")
        fi
    done
    _describe -V 'kubectl-nodeport' offered "${space[@]}"
}

if [[ ${funcstack[1]} == _kubectl-nodeport ]]; then
    _kubectl-nodeport "$@"
else
    compdef _kubectl-nodeport kubectl-nodeport
fi
"""

_FISH = r"""# fish completion for kubectl-nodeport

function __kubectl_nodeport_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct | string replace -r '^["\']' '' | string unescape)
    set -l lines (command kubectl-nodeport __complete $words[2..] "$typed" 2>/dev/null)
    set -l prefix (string match -r -- '^-[^=]*=' "$typed")
    if test "$lines[-1]" = ':0'
        __fish_complete_path (string replace -- "$prefix" '' "$typed")
        return
    end
    for line in $lines[1..-2]
        printf '%s%s\n' "$prefix" $line
    end
end

complete -c kubectl-nodeport -e
complete -c kubectl-nodeport -f -a '(__kubectl_nodeport_complete)'
"""

# Before 7.3 an empty argument to a program is lost unless it is written with its quotes.
_POWERSHELL = r"""# PowerShell completion for kubectl-nodeport

Register-ArgumentCompleter -Native -CommandName 'kubectl-nodeport' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $words = @(
        $commandAst.CommandElements | Select-Object -Skip 1 |
            Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
            ForEach-Object {
                if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
                    $_.Value
                } else {
                    $_.Extent.Text
                }
            }
    )
    $typed = $wordToComplete.TrimStart("'", '"')
    $last = $typed
    if (-not $last -and ($PSVersionTable.PSVersion -lt [version]'7.3' -or
            $PSNativeCommandArgumentPassing -eq 'Legacy')) {
        $last = '""'
    }
    $program = Get-Command 'kubectl-nodeport' -CommandType Application -ErrorAction Stop |
        Select-Object -First 1
    $lines = @(& $program __complete @words $last 2>$null)
    if ($lines.Count -eq 0 -or $lines[-1] -eq ':0') {
        return
    }
    $prefix = if ($typed -match '^-[^=]*=') { $Matches[0] } else { '' }
    $offered = @($lines | Select-Object -SkipLast 1)
    if ($offered.Count -eq 0) {
        # Nothing at all would make PowerShell offer files.
        return ''
    }
    foreach ($line in $offered) {
        $word, $description = $line -split "`t", 2
        if (-not $description) {
            $description = $word
        }
        $insert = "$prefix$word"
        if ($insert -match '[^\w@%+=:./-]') {
            $insert = "'" + $insert.Replace("'", "''") + "'"
        }
        [System.Management.Automation.CompletionResult]::new(
            $insert, $word, 'ParameterValue', $description)
    }
}
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
"""The script of each shell, by its name."""
