/// A shell that completes command lines of evodb.
enum Shell: String, ArgumentChoice {
  case bash, zsh, fish

  /// The script that tells the shell how to ask. It holds no verb and no option: `evodb help --candidates` answers.
  var script: String {
    switch self {
    case .bash: return Self.bashScript
    case .zsh: return Self.zshScript
    case .fish: return Self.fishScript
    }
  }

  /// The answer as the script reads it: a line per candidate, with a tab before its description.
  ///
  /// - Parameter arguments: bash: the line up to the cursor, and the part of its last word that bash will replace (bash cuts words at
  ///   `=` and `:`). The others: the words up to the cursor without the program's name, the last as it is typed.
  /// - Throws: `UsageError` for other arguments, which no script of ours gives.
  func answer(_ arguments: [String], registry: CommandRegistry) throws -> String {
    guard self == .bash else {
      guard let typed = arguments.last else { throw UsageError("--candidates \(rawValue) needs the words of a line") }
      let current = TypedLine(typed).words.last?.text ?? ""
      let completion = CompletionRequest(registry: registry, words: arguments.dropLast() + [current]).answer()
      let lines = completion.candidates.map { "\($0.text)\t\(TerminalText.visible($0.description))\n" }
      return lines.joined() + (completion.takesFiles ? Completion.filesMark + "\n" : "")
    }
    guard arguments.count == 2 else {
      throw UsageError("--candidates bash needs the line and the word that is replaced")
    }
    var words = TypedLine(arguments[0]).words
    let last = words.popLast() ?? TypedLine.Word()
    let completion = CompletionRequest(registry: registry, words: words.dropFirst().map(\.text) + [last.text]).answer()
    if completion.takesFiles { return Completion.filesMark + "\n" }
    // What stands before the replaced part stays on the line.
    let kept = last.text.count - min(last.text.count, TypedLine(arguments[1]).words.last?.text.count ?? 0)
    return completion.candidates.compactMap { candidate in
      last.quote.quoted(String(candidate.text.dropFirst(kept))).map { $0 + "\n" }
    }.joined()
  }

  private static let bashScript = #"""
    # Completion of evodb for bash; written by `evodb help --completion bash`.
    _evodb() {
      local program=$1 line
      case $program in '~/'*) program=$HOME/${program#'~/'} ;; esac
      COMPREPLY=()
      while IFS= read -r line; do
        if [[ $line == :files ]]; then
          compopt -o default 2>/dev/null
        else
          COMPREPLY+=("$line")
        fi
      done < <("$program" help --candidates bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    }
    complete -F _evodb evodb

    """#

  private static let zshScript = #"""
    #compdef evodb
    # Completion of evodb for zsh; written by `evodb help --completion zsh`.
    _evodb() {
      local program=${(Q)words[1]} line files=0
      local -a answer texts shown
      case $program in '~/'*) program=$HOME/${program#'~/'} ;; esac
      answer=("${(@f)$("$program" help --candidates zsh "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
      for line in "${answer[@]}"; do
        case $line in
          '') ;;
          :files) files=1 ;;
          *)
            texts+=("${line%%$'\t'*}")
            shown+=("${line%%$'\t'*}${${line#*$'\t'}:+  -- ${line#*$'\t'}}")
            ;;
        esac
      done
      (( files )) && _files
      (( ${#texts} )) && compadd -l -d shown -a -- texts
    }
    if [[ ${funcstack[1]} == _evodb ]]; then
      _evodb "$@"
    else
      compdef _evodb evodb
    fi

    """#

  private static let fishScript = #"""
    # Completion of evodb for fish; written by `evodb help --completion fish`.
    function __evodb_complete
        set -l words (commandline -opc)
        set -l current (commandline -ct)
        set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
        for line in ($program help --candidates fish $words[2..-1] "$current" 2>/dev/null)
            if test "$line" = :files
                __fish_complete_path "$current"
            else
                printf '%s\n' $line
            end
        end
    end
    complete -c evodb -f -a '(__evodb_complete)'

    """#
}
