package main

// searchCommand searches, and looks after the indexes.
type searchCommand struct {
	searchIndexes `embed:""`
}
