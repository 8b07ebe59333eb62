//go:build !linux

package socktest

func onItsWay(int) int { return 0 }
