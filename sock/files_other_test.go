//go:build !linux

package sock_test

// raiseFiles does nothing where no loop runs yet.
func raiseFiles() {}

// lockable does not say why memory can't be locked where no ring sends it.
func lockable([]byte) error { return nil }
