package server

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

const terminalNameLimit = 128

// A terminal is a pseudo-terminal: its master here, its other end for the session's processes.
type terminal struct {
	master, tty *os.File
	path        string
	once        sync.Once
}

// ptyRequest is RFC 4254, section 6.2; sizes beyond 65535 do not exist in the kernel.
type ptyRequest struct {
	Term          string
	Columns, Rows uint32
	Width, Height uint32
	Modes         string
}

// openTerminal makes a terminal as the client asks for it, and tells its kind (TERM).
func openTerminal(payload []byte) (*terminal, string, error) {
	var wanted ptyRequest
	if err := ssh.Unmarshal(payload, &wanted); err != nil {
		return nil, "", err
	}
	if len(wanted.Term) > terminalNameLimit {
		return nil, "", errors.New("TERM is too long")
	}
	t, err := newTerminal()
	if err != nil {
		return nil, "", err
	}
	if err = t.setModes(wanted.Modes); err == nil {
		err = t.setSize(wanted.Columns, wanted.Rows, wanted.Width, wanted.Height)
	}
	if err != nil {
		t.close()
		return nil, "", err
	}
	return t, wanted.Term, nil
}

// newTerminal opens a pair, pts(4). The master stays with Go's poller, so that a read of it can be
// given a deadline and costs no thread.
func newTerminal() (*terminal, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	var number int
	err = control(master, func(fd int) (err error) {
		if number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0) // unlocks it
	})
	path := "/dev/pts/" + strconv.Itoa(number)
	var tty *os.File
	if err == nil {
		tty, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = master.Close()
		return nil, err
	}
	return &terminal{master: master, tty: tty, path: path}, nil
}

// control runs a system call on the file's descriptor, which stays as it is.
func control(file *os.File, call func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Control(func(fd uintptr) { failure = call(int(fd)) })
	return errors.Join(err, failure)
}

// resize is a window-change request, RFC 4254, section 6.7.
func (t *terminal) resize(payload []byte) bool {
	var wanted struct{ Columns, Rows, Width, Height uint32 }
	if t == nil || ssh.Unmarshal(payload, &wanted) != nil {
		return false
	}
	return t.setSize(wanted.Columns, wanted.Rows, wanted.Width, wanted.Height) == nil
}

func (t *terminal) setSize(columns, rows, width, height uint32) error {
	const most = 1<<16 - 1
	size := unix.Winsize{
		Col: uint16(min(columns, most)), Row: uint16(min(rows, most)),
		Xpixel: uint16(min(width, most)), Ypixel: uint16(min(height, most)),
	}
	return control(t.master, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size) })
}

func (t *terminal) setModes(modes string) error {
	return control(t.master, func(fd int) error {
		settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		applyModes(settings, modes)
		return unix.IoctlSetTermios(fd, unix.TCSETS, settings)
	})
}

func (t *terminal) closeTTY() { _ = t.tty.Close() }

func (t *terminal) close() {
	if t == nil {
		return
	}
	t.once.Do(func() {
		_ = t.master.Close()
		_ = t.tty.Close() // closed before where a process has it
	})
}

// Opcodes of RFC 4254, section 8; from there on to 159 each has a number of four bytes.
const (
	modeEnd        = 0
	modeWithNumber = 160 // the first that has none, and ends the list
)

// controlCharacters are the opcodes of keys, in the kernel's numbers.
var controlCharacters = map[byte]int{
	1: unix.VINTR, 2: unix.VQUIT, 3: unix.VERASE, 4: unix.VKILL, 5: unix.VEOF, 6: unix.VEOL,
	7: unix.VEOL2, 8: unix.VSTART, 9: unix.VSTOP, 10: unix.VSUSP, 12: unix.VREPRINT,
	13: unix.VWERASE, 14: unix.VLNEXT, 18: unix.VDISCARD,
}

var (
	inputFlags = map[byte]uint32{
		30: unix.IGNPAR, 31: unix.PARMRK, 32: unix.INPCK, 33: unix.ISTRIP, 34: unix.INLCR,
		35: unix.IGNCR, 36: unix.ICRNL, 37: unix.IUCLC, 38: unix.IXON, 39: unix.IXANY,
		40: unix.IXOFF, 41: unix.IMAXBEL, 42: unix.IUTF8,
	}
	localFlags = map[byte]uint32{
		50: unix.ISIG, 51: unix.ICANON, 52: unix.XCASE, 53: unix.ECHO, 54: unix.ECHOE,
		55: unix.ECHOK, 56: unix.ECHONL, 57: unix.NOFLSH, 58: unix.TOSTOP, 59: unix.IEXTEN,
		60: unix.ECHOCTL, 61: unix.ECHOKE, 62: unix.PENDIN,
	}
	outputFlags = map[byte]uint32{
		70: unix.OPOST, 71: unix.OLCUC, 72: unix.ONLCR, 73: unix.OCRNL, 74: unix.ONOCR,
		75: unix.ONLRET,
	}
	controlFlags = map[byte]uint32{92: unix.PARENB, 93: unix.PARODD}
)

// applyModes changes the settings to what the client's terminal has. What is not known is passed
// over, what is cut off ends the list.
func applyModes(settings *unix.Termios, modes string) {
	const noKey = 255 // in the protocol; the kernel's is 0
	for len(modes) >= 5 && modes[0] != modeEnd && modes[0] < modeWithNumber {
		opcode, value := modes[0], binary.BigEndian.Uint32([]byte(modes[1:5]))
		modes = modes[5:]
		if index, found := controlCharacters[opcode]; found {
			if value == noKey {
				value = 0
			}
			settings.Cc[index] = byte(value)
			continue
		}
		setFlag(&settings.Iflag, inputFlags[opcode], value)
		setFlag(&settings.Lflag, localFlags[opcode], value)
		setFlag(&settings.Oflag, outputFlags[opcode], value)
		setFlag(&settings.Cflag, controlFlags[opcode], value)
		switch {
		case opcode == 90 && value != 0:
			settings.Cflag = settings.Cflag&^unix.CSIZE | unix.CS7
		case opcode == 91 && value != 0:
			settings.Cflag = settings.Cflag&^unix.CSIZE | unix.CS8
		}
	}
}

func setFlag(flags *uint32, mask, value uint32) {
	if value == 0 {
		*flags &^= mask
	} else {
		*flags |= mask
	}
}
