package testkit

// SweepDirsIn is SweepDirs in another place: in the usual one, the tests of other binaries sweep too.
var SweepDirsIn = sweepDirs
