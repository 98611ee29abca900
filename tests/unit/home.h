/* A home for one test: an empty folder with .aws in it, as HOME, and no variable of AWS's in
 * the environment. *state is the folder's path. */
#ifndef HOME_H
#define HOME_H

int home_make(void **state); /* as cmocka wants them */
int home_remove(void **state);

/* A file in it: ".aws/config". */
void home_write(void **state, const char *name, const char *text);

#define HOME_TEST(name) cmocka_unit_test_setup_teardown(name, home_make, home_remove)

#endif
