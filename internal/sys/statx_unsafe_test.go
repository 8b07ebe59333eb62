package sys

import (
	"testing"
	"unsafe"
)

func TestStatxLayout(t *testing.T) {
	var st Statx
	for name, c := range map[string][2]uintptr{
		"size": {unsafe.Sizeof(st), 256}, "ino": {unsafe.Offsetof(st.Ino), 32},
		"atime": {unsafe.Offsetof(st.Atime), 64}, "dev": {unsafe.Offsetof(st.DevMajor), 136},
		"mount": {unsafe.Offsetof(st.MntID), 144}, "dio": {unsafe.Offsetof(st.DioMemAlign), 152},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %d, want %d", name, c[0], c[1])
		}
	}
}
