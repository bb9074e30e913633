package sigv4

// StandIn is what everybody can read in the source.
const StandIn = standIn
