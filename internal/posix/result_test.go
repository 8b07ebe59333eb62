package posix

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
)

// What a system lacks says so, whatever the number; what a call refuses has the number alone.
func TestLack(t *testing.T) {
	for _, number := range []int32{22, 38, 92, 95} {
		res := Lack(number)
		if Bare(res) != -number || Of(res) != Of(-number) || Bare(-number) != -number {
			t.Errorf("the lack %d is %d and %v, want %d and %v", res, Bare(res), Of(res), -number, Of(-number))
		}
		err := os.NewSyscallError("call", Error(res))
		if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, ErrSystem) || !errors.Is(err, Of(-number)) ||
			!strings.HasSuffix(err.Error(), "not supported on "+runtime.GOOS) {
			t.Errorf("%d is %v", number, err)
		}
		if refused := Error(-number); errors.Is(refused, ErrSystem) || refused != error(Of(-number)) {
			t.Errorf("%d refused is %v", number, refused)
		}
	}
	for _, res := range []int32{0, 7, -1, -133, -(foreign + 1), -(foreign + lacking + 5)} {
		if Bare(res) != res {
			t.Errorf("%d is %d", res, Bare(res))
		}
	}
}
