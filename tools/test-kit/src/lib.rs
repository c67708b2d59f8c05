//! Shared fakes and golden data.
