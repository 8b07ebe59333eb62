package file

import "ringo/internal/sys"

// ForceWalks has names in a Dir walked, and gives whether they were.
func ForceWalks(on bool) bool { return walks.Swap(on) }

// Openat2 is why there is no openat2(2) that confines; nil if there is.
func Openat2() error {
	n, err := openAt(noFD, ".", sys.OPath|sys.ODirectory, 0, confined)
	if err == nil {
		closeNumber(n)
	}
	return err
}

// RefusesRange is whether a copy goes on in another way after this error.
func RefusesRange(err error) bool { return refusesRange(err) }
