package account

import (
	"errors"
	"strings"
)

// ErrNeedsShell is that a command holds what only a shell can do.
var ErrNeedsShell = errors.New("the command needs a shell, and this container has none")

// shellOnly are characters that mean more than themselves to a shell outside quotes.
const shellOnly = "|&;<>()$`*?[]{}~#!\n"

// Words splits a command as a POSIX shell would where it needs no more than quotes, for
// containers that have no shell. What would be expanded, redirected or piped is ErrNeedsShell.
func Words(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false
	if strings.ContainsRune(command, 0) {
		return nil, ErrNeedsShell // no argument can have it
	}
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == ' ' || c == '\t':
			if started {
				words, started = append(words, word.String()), false
				word.Reset()
			}
			continue
		case c == '\'' || c == '"':
			length, err := quoted(command[i:], &word)
			if err != nil {
				return nil, err
			}
			i += length - 1
		case c == '\\' && i+1 < len(command) && command[i+1] != '\n':
			i++
			word.WriteByte(command[i])
		case c == '\\' || strings.IndexByte(shellOnly, c) >= 0:
			return nil, ErrNeedsShell
		default:
			word.WriteByte(c)
		}
		started = true
	}
	if started {
		words = append(words, word.String())
	}
	if len(words) == 0 || strings.Contains(words[0], "=") {
		return nil, ErrNeedsShell // nothing, or an assignment
	}
	return words, nil
}

// quoted adds what stands in the quotes at the start of text to the word; the length is that of
// both quotes and all between.
func quoted(text string, word *strings.Builder) (length int, err error) {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote:
			return i + 1, nil
		case quote == '\'':
			word.WriteByte(c)
		case c == '$' || c == '`':
			return 0, ErrNeedsShell
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, ErrNeedsShell // an open quote
}
