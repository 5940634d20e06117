//! What the user is told, word by word, and that it names the line that the mistake is on.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use retrograd::prelude::*;

/// The result is an error of exactly this text and the line `line` of this file.
#[track_caller]
fn says_at<V>(result: Result<V>, line: u32, text: &str) {
    let Err(error) = result else { panic!("expected an error: {text}") };
    let at = error.location().unwrap_or_else(|| panic!("no line: {error}"));
    assert_eq!(error.to_string(), format!("{text}, at {}:{line}:{}", file!(), at.column()));
}

/// As [`says_at`], for a mistake on the line of this call.
#[track_caller]
fn says<V>(result: Result<V>, text: &str) {
    says_at(result, Location::caller().line(), text);
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(0)
}

fn zeros(shape: impl Into<Shape>) -> Var {
    Var::from(Tensor::zeros(shape).unwrap())
}

struct Net {
    conv: Conv2d,
    fc: Linear,
}
module!(Net { conv, fc });

impl Net {
    const CONV: u32 = line!() + 6;
    const FC: u32 = line!() + 6;
}

impl Layer for Net {
    fn forward(&self, x: &Var) -> Result<Var> {
        let x = self.conv.forward(x)?.relu().flatten(1)?;
        self.fc.forward(&x)
    }
}

fn net() -> Net {
    let rng = &mut rng();
    Net { conv: Conv2d::new(3, 4, 3).build(rng).unwrap(), fc: Linear::new(16, 10).build(rng).unwrap() }
}

mod layers {
    use super::*;

    #[test]
    fn the_wrong_number_of_features_names_the_line_in_the_models_forward() {
        let text = "linear: expected x [..., in], weight [out, in], bias [out], found x [2, 36] and weight \
                    [10, 16] and bias [10] (36 ≠ 16)";
        says_at(net().forward(&zeros([2, 3, 5, 5])), Net::FC, text);
        says_at(net().predict(&Tensor::zeros([2, 3, 5, 5]).unwrap()), Net::FC, text);
        let boxed: Box<dyn Layer> = Box::new(net());
        says_at(boxed.forward(&zeros([2, 3, 5, 5])), Net::FC, text);
    }

    #[test]
    fn the_wrong_number_of_channels_names_both_shapes() {
        let text = "conv2d: input [2, 1, 5, 5] has 1 channels, but weight [4, 3, 3, 3] takes 3";
        says_at(net().forward(&zeros([2, 1, 5, 5])), Net::CONV, text);
        let grouped: Conv2d = Conv2d::new(4, 4, 1).groups(2).build(&mut rng()).unwrap();
        let text = "conv2d: input [1, 6, 2, 2] has 6 / 2 channels, but weight [4, 2, 1, 1] takes 2";
        says(grouped.forward(&zeros([1, 6, 2, 2])), text);
    }

    #[test]
    fn a_kernel_larger_than_the_input_shows_the_sum() {
        let text = "conv2d: the kernel does not fit into the padded input at axis -1: \
                    1·(3 − 1) + 1 = 3 > 2 + 0 + 0 = 2";
        says_at(net().forward(&zeros([2, 3, 5, 2])), Net::CONV, text);
        let text = "max_pool2d: the window does not fit into the padded input at axis -2: \
                    1·(2 − 1) + 1 = 2 > 1 + 2·0 = 1";
        says(zeros([1, 1, 1, 4]).max_pool2d(2), text);
    }

    #[test]
    fn a_forgotten_batch_or_channel_axis_shows_what_was_expected() {
        says_at(net().forward(&zeros([5, 5])), Net::CONV, "conv2d: expected 3 or 4 axes, found 2: [5, 5]");
    }

    #[test]
    fn a_chain_names_the_layers_number_and_the_line_of_the_call() {
        let rng = &mut rng();
        let (first, second) = (Linear::new(4, 8).build(rng).unwrap(), Linear::new(9, 2).build(rng).unwrap());
        let chain = sequential![first, ReLU, second];
        let text = "2: linear: expected x [..., in], weight [out, in], bias [out], found x [1, 8] and weight \
                    [2, 9] and bias [2] (8 ≠ 9)";
        says(chain.forward(&zeros([1, 4])), text);
        let nested = sequential![sequential![Tanh], sequential![ReLU, chain]];
        says(nested.predict(&Tensor::zeros([1, 4]).unwrap()), &format!("1.1.{text}"));
    }

    #[test]
    fn a_users_model_in_a_chain_keeps_its_own_line() {
        let chain = sequential![ReLU, net()];
        let text = "1: conv2d: expected 3 or 4 axes, found 2: [5, 5]";
        says_at(chain.forward(&zeros([5, 5])), Net::CONV, text);
    }
}

mod operations {
    use super::*;

    #[test]
    fn shapes_that_do_not_broadcast_read_the_same_in_the_panic_of_an_operator() {
        let (x, y) = (zeros([2, 3]), zeros([2, 4]));
        let fact = "shapes do not broadcast: [2, 3] and [2, 4] (3 ≠ 4 at axis 1 of 2)";
        says(x.add(&y), &format!("add: {fact}"));
        type Operator = fn(&Var, &Var) -> Var;
        let operators: [(&str, Operator, u32); 4] = [
            ("add", |x, y| x + y, line!()),
            ("sub", |x, y| x - y, line!()),
            ("mul", |x, y| x * y, line!()),
            ("div", |x, y| x / y, line!()),
        ];
        for (name, operator, line) in operators {
            let panic = catch_unwind(AssertUnwindSafe(|| operator(&x, &y))).unwrap_err();
            let text = panic.downcast::<String>().unwrap();
            let expected = format!("{name}: {fact}, at {}:{line}:", file!());
            assert!(text.starts_with(&expected), "{text}, expected {expected}");
        }
    }

    #[test]
    fn mistakes_with_permute_and_reshape_show_both_shapes() {
        let x = zeros([2, 3, 4]);
        let once = |found: &str| format!("permute: expected every axis of [2, 3, 4] once, found {found}");
        says(x.permute(&[0, 2]), &once("[0, 2]"));
        says(x.permute(&[0, 1, 1]), &once("[0, 1, 1]"));
        let no_axis = |op: &str| format!("{op}: axis 3 does not exist in [2, 3, 4] (expected -3 to 2)");
        says(x.permute(&[0, 1, 3]), &no_axis("permute"));
        says(x.transpose(0, 3), &no_axis("transpose"));
        says(x.flatten(3), &no_axis("flatten"));
        let text = "reshape: [2, 3, 4] has 24 elements:";
        says(x.reshape(&[5, 5]), &format!("{text} they do not fit [5, 5]"));
        says(x.reshape(&[5, -1]), &format!("{text} they do not fit [5, -1]"));
        let expected = "expected extents of at least 0, with at most one −1 among them, not";
        says(x.reshape(&[-1, -1]), &format!("{text} {expected} [-1, -1]"));
    }

    #[test]
    fn a_product_of_matrices_that_do_not_fit_names_the_inner_extents() {
        let (x, y) = (zeros([64, 400]), zeros([256, 120]));
        says(x.matmul(&y), "matmul: inner dimensions differ: [64, 400] · [256, 120] (400 ≠ 256)");
    }
}

mod losses {
    use super::*;

    #[test]
    fn a_target_that_is_no_class_is_named() {
        let text = "cross_entropy: target 10 is no class of the 10 (0 to 9)";
        says(zeros([2, 10]).cross_entropy(&Tensor::from([0, 10])), text);
        let text = "cross_entropy: target -1 is no class of the 10 (0 to 9)";
        says(zeros([2, 10]).cross_entropy(&Tensor::from([-1, 0])), text);
    }

    #[test]
    fn targets_of_another_shape_show_the_one_expected() {
        let logits = zeros([2, 10]);
        let text = "cross_entropy: logits [2, 10] want targets of shape [2], found [3]";
        says(logits.cross_entropy(&Tensor::from([0, 1, 2])), text);
        let text = "cross_entropy: logits [2, 10] want targets of shape [2], found [2, 1]";
        says(logits.cross_entropy(&Tensor::from([[0], [1]])), text);
        let text = "cross_entropy: expected logits [n, classes], found shape []";
        says(zeros([]).cross_entropy(&Tensor::scalar(0)), text);
    }

    #[test]
    fn the_mean_square_wants_equal_shapes_rather_than_broadcasting() {
        says(zeros([2, 1]).mse_loss(&zeros([2])), "mse_loss: shapes differ: [2, 1] and [2]");
    }
}

mod tape {
    use super::*;

    #[test]
    fn backward_wants_a_scalar_that_is_recorded() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([1.0f32, 2.0]));
        says(x.square().backward(), "backward: expected a scalar, found shape [2]");
        let text = "backward: the variable is not recorded: feed the model with `tape.constant(x)`, or make `x` a `tape.leaf`";
        let bare = Net::forward(&net(), &zeros([2, 3, 4, 4])).unwrap().sum(..).unwrap();
        says(bare.backward(), text);
        let mut frozen = net();
        frozen.freeze();
        let zeros = tape.constant(Tensor::zeros([2, 3, 4, 4]).unwrap());
        let loss = frozen.forward(&zeros).unwrap().sum(..).unwrap();
        let text = "backward: neither the variable nor anything that it was computed from is recorded: are all parameters frozen, or was it detached? Unfreeze a parameter, or make `x` a `tape.leaf`";
        says(loss.backward(), text);
    }

    #[test]
    fn a_second_backward_names_the_operation_whose_values_are_gone_and_where_it_was_computed() {
        let x = Tape::new().leaf(Tensor::scalar(3.0f32));
        let (loss, line) = (x.exp(), line!());
        loss.backward().unwrap();
        let error = loss.backward().unwrap_err();
        let text = format!(
            "`exp` (at {}:{line}:31) was replayed before, and its values are gone; compute it again",
            file!()
        );
        assert_eq!(error.fact(), text);
        says(loss.backward(), &format!("backward: {text}"));
    }

    #[test]
    fn a_variable_from_before_a_clear_is_refused() {
        let tape = Tape::new();
        let old = tape.leaf(Tensor::scalar(3.0f32)).square();
        tape.clear();
        let new = tape.leaf(Tensor::scalar(1.0f32));
        let text = "an operand was recorded before its tape was cleared; compute it again";
        says(new.add(&old), &format!("add: {text}"));
        says(old.backward(), &format!("backward: {text}"));
    }

    #[test]
    fn two_tapes_in_one_computation_are_refused() {
        let [x, y] = [(); 2].map(|()| Tape::new().leaf(Tensor::scalar(3.0f32)));
        says(x.mul(&y), "mul: two operands are on two different tapes; a computation lives on one");
    }
}

mod training {
    use super::*;

    #[test]
    fn the_gradients_of_another_model_are_refused() {
        let (mut model, other) = (net(), net());
        let x = Tape::new().constant(Tensor::zeros([1, 3, 4, 4]).unwrap());
        let gradients = other.forward(&x).unwrap().sum(..).unwrap().backward().unwrap();
        let text = "sgd: none of the model's 4 parameters has a gradient: are they of another model?";
        says(Sgd::new(0.1).step(&mut model, &gradients), text);
    }

    #[test]
    fn a_setting_out_of_range_is_named_with_its_value() {
        let mut model = net();
        let x = Tape::new().constant(Tensor::zeros([1, 3, 4, 4]).unwrap());
        let gradients = model.forward(&x).unwrap().sum(..).unwrap().backward().unwrap();
        let text = "adam: expected a learning rate of at least 0, found -0.001";
        says(Adam::new(-1e-3).step(&mut model, &gradients), text);
    }

    #[test]
    fn a_step_in_shards_names_the_line_that_asked_for_it() {
        says(Shards::new(0), "shards: expected at least one shard, found 0");
        let mut shards = Shards::new(2).unwrap();
        let (images, labels) = (Tensor::zeros([4, 2]).unwrap(), Tensor::from([0i64, 1, 2]));
        let text = "shards: expected as many examples in each part of the batch, found 4 and 3";
        says(shards.gradients(&(images.clone(), labels), |tape, (x, _)| Ok(tape.constant(x))), text);
        let text = "shards: expected a batch [n, …], found a scalar";
        says(shards.gradients(&Tensor::scalar(1.0), |tape, x| Ok(tape.constant(x))), text);
        let text = "backward: expected a scalar, found shape [2, 2]";
        says(shards.gradients(&images, |tape, x: Tensor| Ok(tape.leaf(x).exp())), text);
        let text = "matmul: inner dimensions differ: [2, 2] · [3, 1] (2 ≠ 3)";
        says(shards.gradients(&images, |tape, x: Tensor| tape.leaf(x).matmul(&zeros([3, 1]))), text);
        let text = "backward: expected a scalar, found shape [1, 2]";
        says(per_sample_gradients(&images, |x, _| Ok(x.exp())), text);
    }

    #[test]
    fn the_state_of_another_model_lists_all_that_is_wrong() {
        let mut model = net();
        let other: Linear = Linear::new(16, 10).build(&mut rng()).unwrap();
        let text = "load_state_dict: `conv.weight` [4, 3, 3, 3] is missing; `conv.bias` [4] is missing; \
                    `fc.weight` [10, 16] is missing; `fc.bias` [10] is missing; \
                    the model has no `weight` [10, 16]; the model has no `bias` [10]";
        says(model.load_state_dict(&other.state_dict()), text);
    }
}
