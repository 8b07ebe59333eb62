package sock

import (
	"errors"
	"fmt"

	"ringo/internal/loop"
)

// errWorld is the error of what would take a descriptor into a simulated world, or out of it.
var errWorld = fmt.Errorf("%w: handles of a simulated world can't be used outside of it, nor others inside",
	errors.ErrUnsupported)

// noWayOut is errWorld for a handle of a loop in a simulated world. G.
func noWayOut(l *loop.Loop) error {
	if l.Staged() {
		return errWorld
	}
	return nil
}
