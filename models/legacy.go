package models

// Legacy is what a cluster leaves when it is deleted, and what of its snapshots goes with it. Only good ones count: those that failed, were
// cancelled or turned out to be damaged bring nothing back.
type Legacy struct {
	Automatic int       // good automatic snapshots, which go
	Manual    int       // good manual ones, which stay
	Newest    *Snapshot // of those that stay, by the age of its data
	Useless   int       // manual ones that stay and hold nothing that could be restored
	Earlier   int       // good manual ones of an earlier cluster of the same name
}
