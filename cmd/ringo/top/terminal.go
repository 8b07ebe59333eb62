package top

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"ringo/cmd/ringo/internal/cli"
)

// terminal is the user's, while ringo top has it. Its modes are stty's business, which every Unix has.
type terminal struct {
	out  *os.File
	was  string // its modes, as stty gives them; "": they were left alone
	keys chan byte
}

// obeys reports whether a terminal understands what draw sends.
func obeys(out *os.File) bool {
	_, _, ok := cli.Terminal(out)
	return ok && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

func stty(args ...string) (string, error) {
	c := exec.Command("stty", args...)
	c.Stdin = os.Stdin
	text, err := c.Output()
	return strings.TrimSpace(string(text)), err
}

// takeTerminal begins a screen of its own, and reads keys as they are pressed.
func takeTerminal(out *os.File) *terminal {
	t := &terminal{out: out, keys: make(chan byte)}
	if was, err := stty("-g"); err == nil {
		if _, err := stty("-icanon", "-echo", "min", "1"); err == nil {
			t.was = was
		}
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l")
	go t.read()
	return t
}

// giveBack leaves the terminal as it was.
func (t *terminal) giveBack() {
	fmt.Fprint(t.out, "\x1b[?25h\x1b[?1049l")
	if t.was != "" {
		stty(t.was)
	}
}

// read ends with the process, or with stdin: then nobody can press q.
func (t *terminal) read() {
	r := bufio.NewReader(os.Stdin)
	for {
		key, err := r.ReadByte()
		if err != nil {
			return
		}
		t.keys <- key
	}
}

// draw writes over what is there, so that nothing flickers, some lines in red.
func (t *terminal) draw(lines []string, red map[int]bool) {
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if red[i] {
			line = "\x1b[31m" + line + "\x1b[0m"
		}
		b.WriteString(line)
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	t.out.Write(b.Bytes())
}
