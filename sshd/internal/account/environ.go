package account

import (
	"os"
	"slices"
	"strings"
)

const environLimit = 4 << 20 // bytes; the kernel's own limit of a process is of that size

// defaultPath is what a login has where the container names none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// An Environment is a list of NAME=VALUE, each name once.
type Environment []string

// parseEnviron reads the text of /proc/PID/environ. Of a name that stands there twice the first
// counts, as with getenv; what is no NAME=VALUE is passed over.
func parseEnviron(text string) Environment {
	var environment Environment
	seen := map[string]bool{}
	for entry := range strings.SplitSeq(text, "\x00") {
		name, _, found := strings.Cut(entry, "=")
		if !found || name == "" || seen[name] {
			continue
		}
		seen[name] = true
		environment = append(environment, entry)
	}
	return environment
}

// Get is the value of a name, empty where it has none.
func (e Environment) Get(name string) string {
	for _, entry := range e {
		if found, value, _ := strings.Cut(entry, "="); found == name {
			return value
		}
	}
	return ""
}

// With is a copy in which the name has that value. A value with a zero byte, which the kernel
// would cut there, changes nothing.
func (e Environment) With(name, value string) Environment {
	if strings.ContainsRune(value, 0) {
		return e
	}
	return append(e.Without(name), name+"="+value)
}

// Without is a copy that has none of the names.
func (e Environment) Without(names ...string) Environment {
	left := make(Environment, 0, len(e)+8)
	for _, entry := range e {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains(names, name) {
			left = append(left, entry)
		}
	}
	return left
}

// ofShells are variables that describe the process they were found in, not the container.
var ofShells = []string{"_", "PWD", "OLDPWD", "SHLVL", "SHELLOPTS", "BASHOPTS", "PS1", "PS2", "PS4"}

// Container is the environment that the container's own process was started with: its first
// process may have exported more than its image names. Where that cannot be read, as it is
// another user's, or belongs to another container (a pod whose containers share their process
// ids), it is this process's own, which exec takes from the container's definition.
func Container() Environment {
	environment := parseEnviron(strings.Join(os.Environ(), "\x00"))
	if sameContainer("/proc/1") {
		if info, err := os.ReadFile("/proc/1/environ"); err == nil && len(info) > 0 && len(info) <= environLimit {
			environment = parseEnviron(string(info))
		}
	}
	environment = environment.Without(ofShells...)
	if environment.Get("PATH") == "" {
		environment = environment.With("PATH", defaultPath)
	}
	return environment
}

// sameContainer is whether the process sees the same files as this one. It is false too where
// we have no right to know, and then its environment is not ours to read either.
func sameContainer(process string) bool {
	theirs, err := os.Readlink(process + "/ns/mnt")
	if err != nil {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/mnt")
	return err == nil && ours == theirs
}

// Acceptable is whether a client may set the variable: language only, as OpenSSH's packages do.
// PATH or LD_PRELOAD from outside have no place in it, though the key's owner can set them later.
func Acceptable(name string) bool {
	if name == "LANG" || name == "COLORTERM" {
		return true
	}
	rest, found := strings.CutPrefix(name, "LC_")
	return found && rest != "" && len(rest) <= 32 && !strings.ContainsFunc(rest, func(r rune) bool {
		return (r < 'A' || r > 'Z') && r != '_'
	})
}
