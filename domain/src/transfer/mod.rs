//! What copying and verifying need to know about databases and values.
