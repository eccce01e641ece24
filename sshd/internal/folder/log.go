package folder

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// logLimit is how many bytes the log may have before it becomes the former one: at most twice
// that is kept.
const logLimit = 256 << 10

// lineLimit is how many bytes a line may have.
const lineLimit = 1000

// A Log writes lines to the folder's log. A log that cannot be written stops nothing.
type Log struct {
	root *os.Root
	mu   sync.Mutex
	file *os.File
	size int64
}

// OpenLog appends to what is there. The text of a crash of this process goes there too.
func (f *Folder) OpenLog() *Log {
	log := &Log{root: f.root}
	log.open()
	return log
}

func (l *Log) open() {
	file, err := l.root.OpenFile(logName, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		l.file = nil
		return
	}
	l.file, l.size = file, 0
	if info, err := file.Stat(); err == nil {
		l.size = info.Size()
	}
	_ = debug.SetCrashOutput(file, debug.CrashOptions{})
}

// Printf writes one line with its time. Whatever the arguments hold, one call is one line of
// printable text: names and addresses in it come from strangers.
func (l *Log) Printf(format string, arguments ...any) {
	line := Sanitize(fmt.Sprintf(format, arguments...), lineLimit)
	text := time.Now().UTC().Format(time.RFC3339) + " " + strconv.Itoa(os.Getpid()) + " " + line + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	if l.size+int64(len(text)) > logLimit {
		l.rotate()
		if l.file == nil {
			return
		}
	}
	n, _ := l.file.WriteString(text)
	l.size += int64(n)
}

func (l *Log) rotate() {
	_ = l.file.Close()
	// Two processes write here, the server and its keeper: the other may have rotated already.
	if info, err := l.root.Stat(logName); err == nil && info.Size() > logLimit/2 {
		_ = l.root.Rename(logName, formerLogName)
	}
	l.open()
}

// Sanitize is text as one line of printable characters, at most limit bytes and a mark of the cut.
func Sanitize(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		text = text[:limit]
	}
	var line strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) && r != '\ufffd' {
			line.WriteRune(r)
		} else {
			line.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	if cut {
		line.WriteString(" [cut]")
	}
	return line.String()
}
