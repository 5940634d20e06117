//! The operators `+ - * /`, for whatever has them as methods that return `Result`.

/// Implements `+ - * /` and unary `-` for a type generic in its numbers: between two values, owned or borrowed,
/// and between a value and a number. They panic where the methods `add`, `sub`, `mul` and `div` return an
/// error, with its text; `scale`, `divide`, `shift`, `neg` and `reciprocal` cannot fail.
#[doc(hidden)]
#[macro_export]
macro_rules! operators {
    ($Type:ident) => {
        $crate::operators!(@operator $Type Add add: |x, c| x.shift(c), |c, x| x.shift(c));
        $crate::operators!(@operator $Type Sub sub: |x, c| x.shift(-c), |c, x| $Type::neg(x).shift(c));
        $crate::operators!(@operator $Type Mul mul: |x, c| x.scale(c), |c, x| x.scale(c));
        $crate::operators!(@operator $Type Div div: |x, c| x.divide(c), |c, x| x.reciprocal().scale(c));

        impl<T: $crate::Float> std::ops::Neg for &$Type<T> {
            type Output = $Type<T>;
            #[track_caller]
            fn neg(self) -> $Type<T> {
                $Type::neg(self)
            }
        }

        impl<T: $crate::Float> std::ops::Neg for $Type<T> {
            type Output = $Type<T>;
            #[track_caller]
            fn neg(self) -> $Type<T> {
                $Type::neg(&self)
            }
        }
    };
    (@operator $Type:ident $operator:ident $method:ident:
        |$x:ident, $c:ident| $right:expr, |$d:ident, $z:ident| $left:expr) => {
        $crate::operators!(@pair $Type $operator $method $Type<T>, $Type<T>);
        $crate::operators!(@pair $Type $operator $method &$Type<T>, $Type<T>);
        $crate::operators!(@pair $Type $operator $method $Type<T>, &$Type<T>);
        $crate::operators!(@pair $Type $operator $method &$Type<T>, &$Type<T>);

        impl<T: $crate::Float> std::ops::$operator<f64> for &$Type<T> {
            type Output = $Type<T>;
            #[track_caller]
            fn $method(self, $c: f64) -> $Type<T> {
                let $x = self;
                $right
            }
        }

        impl<T: $crate::Float> std::ops::$operator<f64> for $Type<T> {
            type Output = $Type<T>;
            #[track_caller]
            fn $method(self, number: f64) -> $Type<T> {
                std::ops::$operator::$method(&self, number)
            }
        }

        impl<T: $crate::Float> std::ops::$operator<&$Type<T>> for f64 {
            type Output = $Type<T>;
            #[track_caller]
            fn $method(self, $z: &$Type<T>) -> $Type<T> {
                let $d = self;
                $left
            }
        }

        impl<T: $crate::Float> std::ops::$operator<$Type<T>> for f64 {
            type Output = $Type<T>;
            #[track_caller]
            fn $method(self, value: $Type<T>) -> $Type<T> {
                std::ops::$operator::$method(self, &value)
            }
        }
    };
    (@pair $Type:ident $operator:ident $method:ident $left:ty, $right:ty) => {
        impl<T: $crate::Float> std::ops::$operator<$right> for $left {
            type Output = $Type<T>;
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            fn $method(self, other: $right) -> $Type<T> {
                match $Type::$method(&self, &other) {
                    Ok(value) => value,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
}
