//! Carrying out a plan, step by step, through the gate of verified chunks.
