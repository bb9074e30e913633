package sigv4

// StandIn is a secret that everybody can read in the source.
const StandIn = standIn
