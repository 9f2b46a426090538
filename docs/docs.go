// Package docs is the written documentation that a server shows by itself, without a network.
package docs

import _ "embed" // for errors.md

// Errors is errors.md: the table of every code.
//
//go:embed errors.md
var Errors string
