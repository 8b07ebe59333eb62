package handle

import (
	"testing"
	"time"
)

// A handle's age is not below the unit that it is counted in, and at most two units from the exact one, also in the
// first moments of a Run and where the count begins anew.
func TestAge(t *testing.T) {
	const unit = int64(1) << bornShift
	const anew = unit << 32
	for _, born := range []int64{0, 1, unit - 1, unit, unit + 1, 5 * unit, anew - unit, anew - 1, anew, anew + unit} {
		for _, after := range []int64{0, 1, unit / 2, unit, 2 * unit, 100 * unit, anew / 2} {
			c := &Core{born: bornAt(born)}
			if age := int64(c.age(born + after)); age < unit || age < after-2*unit || age > after+2*unit {
				t.Errorf("made at %v, after %v: %v", time.Duration(born), time.Duration(after), time.Duration(age))
			}
		}
	}
	if age := new(Core).age(unit); age != 0 {
		t.Errorf("made at a time that is not known: %v", age)
	}
}
