package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// forWhom is the line below a page's title.
var forWhom = regexp.MustCompile(`^# .+\n\n\*For [^.*]+\. (?:(A minute)\.|(\d+) minutes[^.*]*\.|Reference\.)\*\n\n`)

var codeBlock = regexp.MustCompile("(?s)```.*?```")

// TestPages holds the pages of the documentation to what a reader wants to know first: for whom a page is, and how long
// it takes, which is so within a half. And docs/README.md leads to each.
func TestPages(t *testing.T) {
	const wordsAMinute = 200
	dir := filepath.Join("..", "..", "..", "docs")
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		name := filepath.Base(page)
		if name != "README.md" && !strings.Contains(string(index), "("+name+")") {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
		if name == "uring-parity.md" {
			continue // is generated, and says so
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		m := forWhom.FindSubmatch(text)
		if m == nil {
			t.Errorf("%s: want a line below the title that says for whom it is: *For operators. 5 minutes.*", name)
			continue
		}
		said := 0
		switch {
		case len(m[1]) > 0:
			said = 1
		case len(m[2]) > 0:
			said, _ = strconv.Atoi(string(m[2]))
		default:
			continue
		}
		takes := len(strings.Fields(codeBlock.ReplaceAllString(string(text), ""))) / wordsAMinute
		if said > takes*3/2+1 || said < takes*2/3-1 {
			t.Errorf("%s says that it takes %d minutes, and takes some %d", name, said, takes)
		}
	}
}
