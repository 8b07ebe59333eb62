package differ

import "os"

func rename(from, name string) error { return os.Rename(from, name) }
