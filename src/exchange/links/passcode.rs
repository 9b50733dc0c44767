//! A passcode that is made up.

use aws_lc_rs::rand::fill;

use crate::error::{Error, Result};

/// How many digits it has.
const DIGITS: usize = 8;

/// Digits by chance, each as likely as any other.
///
/// # Errors
///
/// There is no chance to be had.
pub fn passcode() -> Result<String> {
    let mut code = String::new();
    while code.len() < DIGITS {
        let mut byte = [0];
        fill(&mut byte).map_err(Error::internal)?;
        // The last six values would make some digits more likely.
        if let [value @ ..250] = byte {
            code.push(char::from(b'0' + value % 10));
        }
    }
    Ok(code)
}
