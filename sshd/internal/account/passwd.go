// Package account answers who the container's user is and what its login looks like: name, home,
// shell, environment. It reads /etc/passwd itself, so that neither libc nor any NSS is needed.
package account

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const passwdLineLimit = 64 << 10

// An Account is the one user that can log in: the one that the server runs as.
type Account struct {
	Name  string // of passwd, else the user id
	UID   int
	GID   int
	Home  string // of passwd, else $HOME, else /
	Shell string // absolute; empty where the container has none that runs
}

// Accepts is whether a login name means this account: its name or its user id in decimal.
func (a Account) Accepts(name string) bool {
	return name == a.Name || name == strconv.Itoa(a.UID)
}

// passwdEntry is a line of passwd(5).
type passwdEntry struct {
	name, home, shell string
	uid, gid          int
}

// findEntry is the first line of passwd text with that user id. Lines that are not of its form
// are passed over, as libc does.
func findEntry(text io.Reader, uid int) (passwdEntry, bool) {
	lines := bufio.NewScanner(text)
	lines.Buffer(make([]byte, 0, 4096), passwdLineLimit)
	for lines.Scan() {
		if entry, ok := parseEntry(lines.Text()); ok && entry.uid == uid {
			return entry, true
		}
	}
	return passwdEntry{}, false
}

func parseEntry(line string) (passwdEntry, bool) {
	fields := strings.Split(line, ":")
	if len(fields) != 7 || fields[0] == "" || strings.ContainsRune("+-#", rune(fields[0][0])) {
		return passwdEntry{}, false
	}
	uid, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return passwdEntry{}, false
	}
	gid, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil {
		return passwdEntry{}, false
	}
	if strings.ContainsRune(line, 0) {
		return passwdEntry{}, false
	}
	return passwdEntry{fields[0], fields[5], fields[6], int(uid), int(gid)}, true
}

// Current is the account of this process, in the container's environment.
func Current(environment Environment) Account {
	account := Account{UID: os.Geteuid(), GID: os.Getegid()}
	account.Name = strconv.Itoa(account.UID)
	if account.UID == 0 {
		account.Name = "root"
	}
	var shell string
	if file, err := os.Open("/etc/passwd"); err == nil {
		if entry, ok := findEntry(file, account.UID); ok {
			account.Name, account.Home, shell = entry.name, entry.home, entry.shell
		}
		_ = file.Close()
	}
	if !filepath.IsAbs(account.Home) {
		account.Home = environment.Get("HOME")
	}
	if !filepath.IsAbs(account.Home) {
		account.Home = "/"
	}
	account.Shell = findShell(shell, environment.Get("SHELL"))
	return account
}

// shellPlaces are tried where neither passwd nor $SHELL names a shell: the last is where images
// without a distribution's files have theirs.
var shellPlaces = []string{"/bin/bash", "/bin/sh", "/usr/bin/sh", "/busybox/sh"}

// findShell is the first that is a program and lets commands be run. Images give their users
// nologin to keep them from logging in where many share a machine; a container's user runs
// whatever exec starts anyway.
func findShell(wanted ...string) string {
	for _, path := range append(wanted, shellPlaces...) {
		switch filepath.Base(path) {
		case "nologin", "false", "true", "sync", "halt", "shutdown":
			continue
		}
		if filepath.IsAbs(path) && isProgram(path) {
			return path
		}
	}
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
