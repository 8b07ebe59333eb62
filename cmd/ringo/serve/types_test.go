package serve

import (
	"io/fs"
	"strings"
	"testing"
)

// TestTypesThatCannotBeRead: package mime panics then, and the tool says what is wrong.
func TestTypesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	err := loadTypes(func() { panic(&fs.PathError{Op: "read", Path: "/usr/share/mime/globs2", Err: fs.ErrInvalid}) })
	if err == nil || !strings.Contains(err.Error(), "types of files: read /usr/share/mime/globs2: ") {
		t.Errorf("%v, want the step and the cause", err)
	}
	if err := loadTypes(func() {}); err != nil {
		t.Error(err)
	}
}
