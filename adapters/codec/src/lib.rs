//! Chunk encoders and decoders of a host: libzstd, xz, gzip.
