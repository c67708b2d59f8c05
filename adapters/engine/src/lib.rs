//! Host pipelines on threads.
