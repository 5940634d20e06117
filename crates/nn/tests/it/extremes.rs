//! Settings that no data fit: refused with the caller's line, or computed without an overflow.

use retrograd_nn::{Conv1d, Conv2d, Layer, Linear, Softshrink, Tensor, Unfold};

use crate::{random, refuses, rng};

#[test]
fn a_stride_may_be_longer_than_can_be_walked() {
    let x = random([1, 2, 6, 7], 0);
    let unfold = Unfold::new([4, 2]).stride(isize::MAX as usize).padding(2).dilation(2);
    assert_eq!(*unfold.predict(&x).unwrap().shape(), [1, 16, 1]);
    let conv = Conv2d::<f64>::new(2, 3, [4, 2]).stride(usize::MAX).padding(2).dilation(2);
    assert_eq!(*conv.build(&mut rng(1)).unwrap().predict(&x).unwrap().shape(), [1, 3, 1, 1]);
}

#[test]
fn patches_want_memory_and_channels() {
    let text = "unfold: there is no memory for shape [1, 2, 17592186044421] of f64";
    refuses(Unfold::new([2, 1]).padding([1 << 43, 0]).predict(&random([1, 1, 6, 1], 0)), text);
    let text = "unfold: input [1, 0, 6, 1] has no channels (expected at least 1)";
    refuses(Unfold::new(1).predict(&random([1, 0, 6, 1], 0)), text);
}

#[test]
fn a_weight_that_there_is_no_memory_for_names_the_line_of_its_layer() {
    let text = "from_fn: there is no memory for shape [17592186044416, 4] of f32";
    refuses(Linear::<f32>::new(4, 1 << 44).build(&mut rng(0)), text);
    let text = "from_fn: there is no memory for shape [1, 1, 17592186044416] of f32";
    refuses(Conv1d::<f32>::new(1, 1, 1 << 44).build(&mut rng(0)), text);
}

#[test]
fn a_shrinkage_is_a_number() {
    refuses(Softshrink::new(f64::NAN), "softshrink: expected a lambda of at least 0, found NaN");
    assert_eq!(Softshrink::new(0.0).unwrap().predict(&Tensor::from([1.0f32])).unwrap(), Tensor::from([1.0]));
}
