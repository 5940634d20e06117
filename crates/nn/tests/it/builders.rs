//! What builders refuse, before anything is allocated.

use retrograd_nn::{Conv1d, Conv2d, Conv3d, Layer, Linear, Padding, Tensor, Var};

use crate::{refuses, rng};

#[test]
fn convolutions_that_make_no_sense_are_refused() {
    let plain = || Conv2d::<f32>::new(4, 6, 3);
    let zero = |name: &str, found: &str| format!("conv2d: expected a {name} of at least 1, found {found}");
    let table = [
        (Conv2d::new(0, 6, 3), "conv2d: expected at least 1 channel, found 0 in and 6 out".to_string()),
        (Conv2d::new(4, 0, 3), "conv2d: expected at least 1 channel, found 4 in and 0 out".to_string()),
        (Conv2d::new(4, 6, [3, 0]), zero("kernel_size", "[3, 0]")),
        (plain().stride(0), zero("stride", "[0, 0]")),
        (plain().dilation([1, 0]), zero("dilation", "[1, 0]")),
        (plain().groups(0), "conv2d: 0 groups do not divide 4 input and 6 output channels".to_string()),
        (plain().groups(3), "conv2d: 3 groups do not divide 4 input and 6 output channels".to_string()),
        (plain().groups(4), "conv2d: 4 groups do not divide 4 input and 6 output channels".to_string()),
        (
            plain().padding(Padding::Same).stride([1, 2]),
            "conv2d: `same` padding wants a stride of 1, found [1, 2]".to_string(),
        ),
    ];
    for (builder, text) in table {
        refuses(builder.build(&mut rng(0)), &text);
    }
}

#[test]
fn the_operations_name_counts_the_axes_and_the_line_is_that_of_build() {
    let text = "expected at least 1 channel, found 0 in and 1 out";
    refuses(Conv1d::<f32>::new(0, 1, 1).build(&mut rng(0)), &format!("conv1d: {text}"));
    refuses(Conv2d::<f32>::new(0, 1, 1).build(&mut rng(0)), &format!("conv2d: {text}"));
    refuses(Conv3d::<f32>::new(0, 1, 1).build(&mut rng(0)), &format!("conv3d: {text}"));
}

#[test]
fn weights_that_cannot_be_addressed_are_refused() {
    let text = |op: &str, shape: &str| {
        format!("{op}: a weight of shape {shape} has more elements than can be addressed")
    };
    let (max, half) = (usize::MAX, 1usize << 32);
    let shape = format!("[{half}, {half}]");
    refuses(Linear::<f32>::new(half, half).build(&mut rng(0)), &text("linear", &shape));
    let shape = format!("[{max}, 0]");
    refuses(Linear::<f32>::new(0, max).build(&mut rng(0)), &text("linear", &shape));
    let shape = format!("[1, 1, {max}, {max}]");
    refuses(Conv2d::<f32>::new(1, 1, max).build(&mut rng(0)), &text("conv2d", &shape));
    let shape = format!("[{half}, {half}, 3]");
    refuses(Conv1d::<f64>::new(half, half, 3).build(&mut rng(0)), &text("conv1d", &shape));
}

#[test]
fn settings_that_overflow_are_refused_where_they_meet_an_input() {
    let x = Var::from(Tensor::<f32>::zeros([1, 1, 4]).unwrap());
    let max = usize::MAX;
    let table: [(&str, retrograd_nn::ConvBuilder<1>); 4] = [
        ("padding", Conv1d::new(1, 1, 2).padding(max)),
        ("dilation", Conv1d::new(1, 1, 3).dilation(max)),
        ("same with a huge dilation", Conv1d::new(1, 1, 3).dilation(max).padding(Padding::Same)),
        ("half of all numbers on both sides", Conv1d::new(1, 1, 2).padding(max / 2)),
    ];
    for (what, builder) in table {
        let error = builder.build(&mut rng(0)).unwrap().forward(&x).unwrap_err();
        assert_eq!(error.op(), "conv1d", "{what}");
    }
    let apart: Conv1d = Conv1d::new(1, 1, 2).stride(max).build(&mut rng(0)).unwrap();
    assert_eq!(*apart.forward(&x).unwrap().shape(), [1, 1, 1], "a huge stride leaves one output");
}
