//! Every way to cut against the oracle.
