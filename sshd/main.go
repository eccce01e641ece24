// Command nodeport-sshd is an ssh server that can be brought into any container. It is static,
// needs no shell, no libc, no root and no network to be set up, and lets in one user, the one it
// runs as, by public key.
//
// Commands print one line of JSON, errors too, and read no secret from their arguments. README.md
// has the whole of it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"nodeport-sshd/internal/daemon"
)

const usage = `usage: nodeport-sshd COMMAND --state FOLDER

  start        bring a server up; its configuration is a JSON object on standard input
  status       what runs, and who may log in
  stop         end it; --purge removes the folder too
  add-key      one line of authorized_keys on standard input
  remove-key   the same; --stop-last ends the server and removes the folder with the last key
  --version    version and protocol
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is one command; the exit status is 0, 1 for a failure, 2 for a wrong command line.
func run(arguments []string, input io.Reader, output, errorOutput io.Writer) int {
	if len(arguments) == 0 || arguments[0] == "-h" || arguments[0] == "--help" {
		_, _ = io.WriteString(errorOutput, usage)
		return 2
	}
	name := arguments[0]
	if name == "--version" || name == "version" {
		return print(output, map[string]any{
			"program": "nodeport-sshd", "version": daemon.Version, "protocol": daemon.Protocol,
			"os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(errorOutput)
	state := flags.String("state", "", "absolute path of the server's folder")
	purge := flags.Bool("purge", false, "stop: remove the folder too")
	stopLast := flags.Bool("stop-last", false, "remove-key: stop and remove the folder with the last key")
	if err := flags.Parse(arguments[1:]); err != nil || flags.NArg() != 0 || *state == "" {
		_, _ = io.WriteString(errorOutput, usage)
		return 2
	}
	switch name { // not for people: the parts that start is made of
	case "keep":
		if daemon.Keep(*state) != nil {
			return 1
		}
		return 0
	case "serve":
		return daemon.Serve(*state)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	commands := map[string]func() (daemon.Answer, error){
		"start":      func() (daemon.Answer, error) { return daemon.Start(ctx, *state, input) },
		"status":     func() (daemon.Answer, error) { return daemon.Status(*state) },
		"stop":       func() (daemon.Answer, error) { return daemon.Stop(ctx, *state, *purge) },
		"add-key":    func() (daemon.Answer, error) { return daemon.AddKey(ctx, *state, input) },
		"remove-key": func() (daemon.Answer, error) { return daemon.RemoveKey(ctx, *state, input, *stopLast) },
	}
	command, known := commands[name]
	if !known {
		_, _ = io.WriteString(errorOutput, usage)
		return 2
	}
	answer, err := command()
	if err != nil {
		return printError(output, err)
	}
	return print(output, answer)
}

func print(output io.Writer, value any) int {
	line, err := json.Marshal(value)
	if err == nil {
		_, err = fmt.Fprintf(output, "%s\n", line)
	}
	if err != nil {
		return 1
	}
	return 0
}

func printError(output io.Writer, err error) int {
	code := "failed"
	var failure *daemon.Failure
	if errors.As(err, &failure) {
		code = failure.Code
	}
	print(output, map[string]any{"error": map[string]string{"code": code, "message": err.Error()}})
	return 1
}
