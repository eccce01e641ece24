package account

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const passwd = `root:x:0:0:root:/root:/bin/bash
# a comment
+nis
short:x:5
app:x:1000:1001:An, app:/home/app:/bin/sh
second:x:1000:1001::/other:/bin/zsh
minus:x:-1:0::/:/bin/sh
odd:x:4294967294:0::/:
`

func TestFindEntry(t *testing.T) {
	for uid, want := range map[int]passwdEntry{
		0:          {"root", "/root", "/bin/bash", 0, 0},
		1000:       {"app", "/home/app", "/bin/sh", 1000, 1001},
		4294967294: {"odd", "/", "", 4294967294, 0},
	} {
		if got, ok := findEntry(strings.NewReader(passwd), uid); !ok || got != want {
			t.Errorf("%d: %+v %v", uid, got, ok)
		}
	}
	if got, ok := findEntry(strings.NewReader(passwd), 5); ok {
		t.Errorf("%+v", got)
	}
}

func TestAccepts(t *testing.T) {
	account := Account{Name: "app", UID: 1000}
	for name, want := range map[string]bool{"app": true, "1000": true, "App": false, "": false, "01000": false, "root": false} {
		if account.Accepts(name) != want {
			t.Errorf("%q", name)
		}
	}
}

func TestFindShell(t *testing.T) {
	folder := t.TempDir()
	program, text := filepath.Join(folder, "fish"), filepath.Join(folder, "text")
	if err := errors.Join(os.WriteFile(program, nil, 0o755), os.WriteFile(text, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	nologin := filepath.Join(folder, "nologin")
	if err := os.WriteFile(nologin, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range [][]string{{program}, {text, program}, {nologin, program}, {"", program}, {"relative", program}, {folder, program}} {
		if got := findShell(wanted...); got != program {
			t.Errorf("%v: %s", wanted, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	environment := parseEnviron("A=1\x00B=x=y\x00A=2\x00nothing\x00=empty\x00C=\x00")
	if want := (Environment{"A=1", "B=x=y", "C="}); !slices.Equal(environment, want) {
		t.Fatalf("%q", environment)
	}
	changed := environment.With("B", "z").Without("A")
	if want := (Environment{"C=", "B=z"}); !slices.Equal(changed, want) || len(environment) != 3 {
		t.Fatalf("%q of %q", changed, environment)
	}
	if environment.Get("B") != "x=y" || environment.Get("D") != "" {
		t.Fatal("Get")
	}
	if got := environment.With("A", "x\x00LD_PRELOAD=y"); !slices.Equal(got, environment) {
		t.Fatalf("%q", got)
	}
}

func TestContainerEnvironmentHasNothingOfThisProcess(t *testing.T) {
	t.Setenv("SHLVL", "7")
	t.Setenv("OLDPWD", "/x")
	environment := Container()
	if environment.Get("SHLVL") != "" || environment.Get("OLDPWD") != "" || environment.Get("PATH") == "" {
		t.Fatalf("%q", environment)
	}
}

func TestWords(t *testing.T) {
	for command, want := range map[string][]string{
		"a":                      {"a"},
		" a  b\tc ":              {"a", "b", "c"},
		`a 'b c' "d e" f\ g`:     {"a", "b c", "d e", "f g"},
		`a "x\"y\\z\n" 'q"r'`:    {"a", `x"y\z\n`, `q"r`},
		`a '' ""`:                {"a", "", ""},
		`/bin/x --k=v a,b @ + %`: {"/bin/x", "--k=v", "a,b", "@", "+", "%"},
	} {
		if got, err := Words(command); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q %v", command, got, err)
		}
	}
	for _, command := range []string{"", "  ", "a|b", "a;b", "a&", "a>b", "$x", "a `b`", "*", "'open", `"$x"`, "A=1 b", "a\nb", `a\`, "a\x00", "a \\\x00", "~/x", "(a)"} {
		if got, err := Words(command); !errors.Is(err, ErrNeedsShell) {
			t.Errorf("%q: %q %v", command, got, err)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, seed := range []string{`a 'b c' "d\"e"`, "a|b", `"`, `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words, err := Words(command)
		if err == nil && (len(words) == 0 || strings.Contains(strings.Join(words, ""), "\x00")) {
			t.Fatalf("%q", words)
		}
	})
}

func FuzzEnviron(f *testing.F) {
	f.Add("A=1\x00B=2\x00", "C", "3")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		environment := parseEnviron(text)
		seen := map[string]bool{}
		for _, entry := range environment {
			key, _, found := strings.Cut(entry, "=")
			if !found || key == "" || seen[key] || strings.Contains(entry, "\x00") {
				t.Fatalf("%q", environment)
			}
			seen[key] = true
		}
		if name != "" && !strings.ContainsAny(name, "=\x00") && !strings.Contains(value, "\x00") {
			if got := environment.With(name, value).Get(name); got != value {
				t.Fatalf("%q is %q", name, got)
			}
		}
	})
}

func FuzzPasswd(f *testing.F) {
	f.Add(passwd, 1000)
	f.Fuzz(func(t *testing.T, text string, uid int) {
		if entry, ok := findEntry(strings.NewReader(text), uid); ok {
			if entry.uid != uid || entry.name == "" || strings.ContainsAny(entry.name+entry.home+entry.shell, ":\n\x00") {
				t.Fatalf("%+v", entry)
			}
		}
	})
}
