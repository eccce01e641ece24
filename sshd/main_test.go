package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func output(t *testing.T, wantStatus int, input string, arguments ...string) map[string]any {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(arguments, strings.NewReader(input), &stdout, &stderr); status != wantStatus {
		t.Fatalf("%v: status %d: %s%s", arguments, status, stdout.String(), stderr.String())
	}
	if wantStatus == 2 {
		if !strings.HasPrefix(stderr.String()[strings.Index(stderr.String(), "usage:"):], "usage: nodeport-sshd") || stdout.Len() != 0 {
			t.Fatalf("%v: %q %q", arguments, stdout.String(), stderr.String())
		}
		return nil
	}
	if strings.Count(stdout.String(), "\n") != 1 {
		t.Fatalf("%v: not one line: %q", arguments, stdout.String())
	}
	var answer map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestOutput(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	if version := output(t, 0, "", "--version"); version["program"] != "nodeport-sshd" || version["protocol"] != 1.0 {
		t.Errorf("%v", version)
	}
	for _, command := range []string{"status", "stop"} {
		if answer := output(t, 0, "", command, "--state", state); answer["state"] != "absent" {
			t.Errorf("%v", answer)
		}
	}
	for code, arguments := range map[string][]string{
		"config": {"start", "--state", state}, "folder": {"status", "--state", "relative"}, "key": {"add-key", "--state", state},
	} {
		failed, ok := output(t, 1, "junk\n", arguments...)["error"].(map[string]any)
		if !ok || failed["code"] != code || failed["message"] == "" {
			t.Errorf("%v: %v", arguments, failed)
		}
	}
	for _, arguments := range [][]string{{}, {"--help"}, {"start"}, {"dance", "--state", state}, {"status", "--state", state, "more"}, {"status", "--no-such"}} {
		output(t, 2, "", arguments...)
	}
}
