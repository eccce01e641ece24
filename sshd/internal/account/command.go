package account

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoShell is that an interactive login is asked for where there is no shell.
var ErrNoShell = errors.New("this container has no shell; commands that need none can be run: ssh HOST PROGRAM ARGUMENTS")

// Command is the command as the account's shell runs it, or a login shell where it is empty. In a
// container without a shell it is the program itself. It starts in the home folder where that can
// be entered, else where the server does.
func (a Account) Command(command string, environment Environment) (*exec.Cmd, error) {
	cmd := &exec.Cmd{Env: environment}
	if unix.Access(a.Home, unix.X_OK) == nil {
		cmd.Dir = a.Home
	}
	switch {
	case a.Shell == "" && command == "":
		return nil, ErrNoShell
	case a.Shell == "":
		words, err := Words(command)
		if err != nil {
			return nil, err
		}
		cmd.Args = words
		cmd.Path, err = lookPath(words[0], environment.Get("PATH"))
		return cmd, err
	case command == "":
		cmd.Path = a.Shell
		cmd.Args = []string{"-" + filepath.Base(a.Shell)} // the dash makes it a login shell
	default:
		cmd.Path = a.Shell
		cmd.Args = []string{filepath.Base(a.Shell), "-c", command}
	}
	return cmd, nil
}

// lookPath finds a program in the session's PATH, which need not be the server's.
func lookPath(name, path string) (string, error) {
	if strings.ContainsRune(name, '/') {
		return name, nil // the kernel tells what is wrong with it
	}
	for folder := range strings.SplitSeq(path, ":") {
		if candidate := filepath.Join(folder, name); filepath.IsAbs(folder) && isProgram(candidate) {
			return candidate, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
