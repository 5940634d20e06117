//! x
use crate::draw::Family;
pub const FAMILIES: &[Family] = &[];
