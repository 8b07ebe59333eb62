package sockhttp

import "time"

// LookEachTime has f look each time whether bytes are in memory, however long it took until they were asked for again.
func (f *Files) LookEachTime() { f.look, f.warm = 0, time.Hour }
