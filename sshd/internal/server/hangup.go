package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hangUpGrace is what a process has, after SIGHUP, to end by itself.
const (
	hangUpGrace = 5 * time.Second
	buryPause   = 50 * time.Millisecond
)

// An attachment are the names, in /proc, of what a session's processes have as stdin, stdout or
// stderr: its pipes, or its terminal.
type attachment []string

// pipeName is what /proc shows for a pipe.
func pipeName(file *os.File) string {
	var stat unix.Stat_t
	_ = control(file, func(fd int) error { return unix.Fstat(fd, &stat) }) // of an open file
	return fmt.Sprintf("pipe:[%d]", stat.Ino)
}

func growPipe(file *os.File) {
	// Refused where the user's pipes have too much already; then it stays as it is.
	_ = control(file, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize)
		return err
	})
}

// A victim is a process, not only its number, which may become another's.
type victim struct {
	pid   int
	birth string // empty where there is no /proc to tell
}

func (v victim) isGone() bool {
	if v.birth == "" {
		return syscall.Kill(v.pid, 0) != nil
	}
	return birthOf(v.pid) != v.birth
}

// hangUp sends SIGHUP to the leader, where there is one, and to all that are attached, and
// returns them.
func (a attachment) hangUp(leader int) []victim {
	victims := a.victims(leader)
	for _, v := range victims {
		_ = syscall.Kill(v.pid, syscall.SIGHUP)
		_ = syscall.Kill(v.pid, syscall.SIGCONT) // a stopped one would not notice
	}
	return victims
}

// bury waits until all are gone; those that are still there after the grace, and did not choose
// to ignore SIGHUP, are killed.
func bury(victims []victim) {
	for deadline := time.Now().Add(hangUpGrace); len(victims) > 0 && time.Now().Before(deadline); {
		time.Sleep(buryPause)
		victims = slices.DeleteFunc(victims, func(v victim) bool {
			return v.isGone() || ignoresHangUp(v.pid)
		})
	}
	for _, v := range victims {
		_ = syscall.Kill(v.pid, syscall.SIGKILL)
	}
}

func (a attachment) victims(leader int) []victim {
	var found []victim
	listed := false
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		listed = true
		if pid == os.Getpid() || pid == os.Getppid() || pid != leader && !a.holds(pid) {
			continue
		}
		if birth := birthOf(pid); birth != "" { // else it has ended meanwhile
			found = append(found, victim{pid, birth})
		}
	}
	if !listed && leader != 0 { // no /proc
		return []victim{{leader, ""}}
	}
	return found
}

func (a attachment) holds(pid int) bool {
	for fd := range 3 {
		target, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "fd", strconv.Itoa(fd)))
		if err != nil {
			continue
		}
		if slices.Contains(a, target) {
			return true
		}
	}
	return false
}

// birthOf is the process's start time as /proc/PID/stat has it, empty where it is gone.
func birthOf(pid int) string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	return startTime(string(text))
}

// startTime is the 22nd field of proc_pid_stat(5). The second, the program's name, may have
// spaces and brackets in it.
func startTime(stat string) string {
	_, rest, found := cutLast(stat, ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return ""
	}
	return fields[19]
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// ignoresHangUp reads the mask of ignored signals of proc_pid_status(5).
func ignoresHangUp(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if mask, found := strings.CutPrefix(line, "SigIgn:"); found {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && bits&(1<<(uint(syscall.SIGHUP)-1)) != 0
		}
	}
	return false
}
