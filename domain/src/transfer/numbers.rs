//! Numbers of one kind as numbers of another, where nothing is lost by it.

use super::outcome::Reject;

pub(super) fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Reject> {
    T::try_from(number).map_err(|_| Reject::OutOfRange)
}

/// Both bounds of i64 are powers of two, which a double holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
pub(super) fn whole(number: f64) -> Result<i64, Reject> {
    if number.fract() != 0.0 || !number.is_finite() {
        return Err(Reject::Inexact);
    }
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        Ok(number as i64)
    } else {
        Err(Reject::OutOfRange)
    }
}

pub(super) fn exact(number: i64) -> Result<f64, Reject> {
    let real = number as f64;
    if whole(real) == Ok(number) {
        Ok(real)
    } else {
        Err(Reject::Inexact)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the way back is compared")]
pub(super) fn single(number: f64) -> Result<f32, Reject> {
    let single = number as f32;
    if f64::from(single).to_bits() == number.to_bits() {
        Ok(single)
    } else {
        Err(Reject::Inexact)
    }
}
