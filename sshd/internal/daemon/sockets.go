package daemon

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

const established = "01" // of the kernel's table

// connectionsTo counts who is connected to the port, by the kernel's tables of TCP sockets.
func connectionsTo(port int) int {
	count, found := 0, false
	for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		found = true
		for lines := bufio.NewScanner(file); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) > 3 && fields[3] == established && portOf(fields[1]) == port {
				count++
			}
		}
		_ = file.Close()
	}
	if !found {
		return -1
	}
	return count
}

// portOf is the port of an address as the table has it, -1 where it is none.
func portOf(address string) int {
	_, text, found := strings.Cut(address, ":")
	port, err := strconv.ParseUint(text, 16, 16)
	if !found || err != nil {
		return -1
	}
	return int(port)
}
