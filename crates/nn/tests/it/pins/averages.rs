use super::*;

#[test]
fn padding_counts_in_the_divisor_unless_it_is_left_out() {
    let layer = AvgPool1d::new(2).padding(1);
    assert_eq!(along(&layer, [2.0, 4.0, 6.0]).0, [1.0, 5.0]);
    assert_eq!(along(&layer.count_include_pad(false), [2.0, 4.0, 6.0]).0, [2.0, 5.0]);
    assert_eq!(along(&layer.count_include_pad(false), [2.0, 4.0, 6.0]).1, [1.0, 0.5, 0.5]);
}

#[test]
fn what_ceil_mode_covers_beyond_the_padding_never_counts() {
    let layer = AvgPool1d::new(3).stride(3).ceil_mode(true);
    assert_eq!(
        along(&layer, [3.0, 3.0, 3.0, 8.0]),
        (vec![3.0, 8.0], vec![1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0])
    );
    // The last window covers the input's last element and the padding after it: 2, not 3.
    let padded = AvgPool1d::new(3).stride(2).padding(1).ceil_mode(true);
    assert_eq!(along(&padded, [3.0, 3.0, 3.0, 8.0]).0, [2.0, 14.0 / 3.0, 4.0]);
}

#[test]
fn a_divisor_of_ones_own_replaces_every_count() {
    let layer = AvgPool1d::new(2).padding(1).divisor_override(NonZeroI64::new(4).unwrap());
    assert_eq!(along(&layer, [2.0, 4.0, 6.0]).0, [0.5, 2.5]);
}

#[test]
fn a_norm_takes_no_absolute_values_and_has_no_gradient_where_all_is_zero() {
    let layer = LPPool1d::new(2.0, 2);
    let (y, gradient) = along(&layer, [3.0, -4.0, 0.0, 0.0]);
    assert_eq!(y, [5.0, 0.0]);
    assert!((gradient[0] - 0.6).abs() < 1e-15 && (gradient[1] + 0.8).abs() < 1e-15);
    assert_eq!(gradient[2..], [0.0, 0.0]);
    assert_eq!(along(&LPPool1d::new(1.0, 2), [3.0, -4.0]).0, [-1.0], "a sum");
}

#[test]
fn a_norm_counts_a_window_that_ceil_mode_cuts_off_as_if_it_were_whole() {
    let layer = LPPool1d::new(1.0, 2).ceil_mode(true);
    assert_eq!(along(&layer, [3.0, 4.0, 5.0]).0, [7.0, 10.0]);
}
